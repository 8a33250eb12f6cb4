"""The paths of the service, one file per group."""
