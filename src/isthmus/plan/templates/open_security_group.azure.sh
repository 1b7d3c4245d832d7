az network nsg show --ids "{{ target }}" \
  --query "securityRules[?access=='Allow' && direction=='Inbound' && (sourceAddressPrefix=='*' || sourceAddressPrefix=='Internet')]"
