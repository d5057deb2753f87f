"""The bot on its channels: messages and comments come in, answers go out."""
