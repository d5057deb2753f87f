"""From a message to what the bot answers."""
