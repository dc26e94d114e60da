"""Open files, folders, archives, named sets, hub ids and objects in memory as labelled texts."""
