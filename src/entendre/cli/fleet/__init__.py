"""Commands on brands, devices, releases and households of a running server."""
