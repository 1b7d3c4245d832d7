# What is open now (keep the output: it is the way back)
aws s3api get-public-access-block --bucket {{ target }}
aws s3api get-bucket-policy-status --bucket {{ target }}
# Close it
aws s3api put-public-access-block --bucket {{ target }} \
  --public-access-block-configuration BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
