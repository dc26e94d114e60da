"""The jobs that the commands of the command line run, one module for each job."""
