# Keep what is needed for forensics, then stop it
docker export {{ target }} --output {{ target }}.tar
docker stop {{ target }}
# Rebuild the image from its sources, scan it, and roll the deployment; do not restart from the same image
