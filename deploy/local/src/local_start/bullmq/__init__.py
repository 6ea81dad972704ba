"""`queue drain-bullmq`: what waits in the queues of BullMQ 5 moves into this system."""
