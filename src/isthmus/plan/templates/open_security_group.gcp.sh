gcloud compute firewall-rules describe "{{ target.rsplit('/', 1)[-1] }}" --project "{{ target.split('/', 1)[0] }}"
gcloud compute firewall-rules update "{{ target.rsplit('/', 1)[-1] }}" --project "{{ target.split('/', 1)[0] }}" --source-ranges="$OFFICE_NETWORK"
