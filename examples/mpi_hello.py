"""Says hello from each rank of an MPI job: flux start --size 4 flux run -n 4 python examples/mpi_hello.py"""

from mpi4py import MPI

world = MPI.COMM_WORLD
ranks = world.allreduce(world.rank)
print(f"rank {world.rank} of {world.size}: all our ranks add up to {ranks}", flush=True)
