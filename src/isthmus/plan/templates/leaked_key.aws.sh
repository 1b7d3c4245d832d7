# Whose key it is, and when and for what it was used last
aws iam get-access-key-last-used --access-key-id {{ target }}
USER_NAME=$(aws iam get-access-key-last-used --access-key-id {{ target }} --query UserName --output text)
# Switch it off (reversible), make sure nothing needs it, then delete it
aws iam update-access-key --user-name "$USER_NAME" --access-key-id {{ target }} --status Inactive
aws iam delete-access-key --user-name "$USER_NAME" --access-key-id {{ target }}
