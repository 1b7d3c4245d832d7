# The rules that are open to every address (keep the output: it is the way back)
aws ec2 describe-security-group-rules --filters Name=group-id,Values={{ target }} \
  --query "SecurityGroupRules[?!IsEgress && (CidrIpv4=='0.0.0.0/0' || CidrIpv6=='::/0')]"
# Remove one of them, by its id
aws ec2 revoke-security-group-ingress --group-id {{ target }} --security-group-rule-ids "$RULE_ID"
