az storage account update --ids "{{ target }}" --allow-blob-public-access false
