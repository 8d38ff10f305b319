"""The turn machine and its policies: pure, no sockets, no models, no clocks."""
