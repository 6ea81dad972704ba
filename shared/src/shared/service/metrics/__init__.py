"""What `/metrics` says, in Prometheus' words.

`counting` counts as it happens; `redis`, `store` and `needs` are read at a scrape, by `reading`.
"""
