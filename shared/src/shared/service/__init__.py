"""The chassis: what is around the rules of a service, the same for all of them.

To read it, begin with `settings` and `app` (one HTTP application), then `worker`, which wires the whole
process of a worker. The rest is what these are made of: who may ask (`keys`), what is taken in (`body`,
`strict_json`), how errors are told (`problem`, `refusals`), how it is (`health`, `metrics`, `watchdog`), and
what it leaves behind (`logs`, `delivery_log`, `tracing`).
"""
