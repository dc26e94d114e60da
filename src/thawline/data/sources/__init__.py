"""Files, folders, archives, named sets, hub ids and objects in memory, read as labelled texts."""
