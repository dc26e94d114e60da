"""The machine, the file system and the libraries that Thawline runs on."""
