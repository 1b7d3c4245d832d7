# What it may do and what it used
aws iam list-attached-role-policies --role-name {{ target }}
aws iam list-role-policies --role-name {{ target }}
aws iam generate-service-last-accessed-details --arn "$(aws iam get-role --role-name {{ target }} --query Role.Arn --output text)"
# Bound it at once with the policy document above, saved as boundary.json
aws iam put-role-policy --role-name {{ target }} --policy-name isthmus-boundary --policy-document file://boundary.json
