# What it may do and what it used
aws iam list-attached-user-policies --user-name {{ target }}
aws iam list-user-policies --user-name {{ target }}
aws iam generate-service-last-accessed-details --arn "$(aws iam get-user --user-name {{ target }} --query User.Arn --output text)"
# Bound it at once with the policy document above, saved as boundary.json
aws iam put-user-policy --user-name {{ target }} --policy-name isthmus-boundary --policy-document file://boundary.json
