"""The web page at `/`: its files, which need no build step and no other server."""
