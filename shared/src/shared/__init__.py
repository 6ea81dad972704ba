"""The language the services speak and the chassis they run on; knows no service."""
