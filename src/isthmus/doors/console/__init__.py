"""The pages at `/`: what people read, and where they say what they decide. Drawn on the server, without any script."""
