"""The home graph and what connects it to real appliances."""
