"""How a completion network is used: photos in, completed photos out."""
