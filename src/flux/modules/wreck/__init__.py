"""Remote execution: runs a job's tasks on its ranks."""
