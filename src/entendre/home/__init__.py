"""The home graph and what connects it to real appliances."""

from entendre.home.demo import demo_home
from entendre.home.document import dump_home, home_schema, load_home
from entendre.home.graph import Connector, HomeGraph

__all__ = ["Connector", "HomeGraph", "demo_home", "dump_home", "home_schema", "load_home"]
