"""What the fleet's database alone can't do: who is connected here, what they are told, and what runs on its own."""
