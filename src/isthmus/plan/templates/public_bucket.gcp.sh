gcloud storage buckets update gs://{{ target }} --public-access-prevention
