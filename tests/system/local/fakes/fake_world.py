from fake_server import main

main("fake_world")
