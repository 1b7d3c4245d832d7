# Evidence first: a snapshot of every disk
aws ec2 create-snapshots --instance-specification InstanceId={{ target }} --description "evidence {{ target }}"
# Then replace it from a clean image, and rotate what its role could read
aws ec2 describe-instances --instance-ids {{ target }} --query "Reservations[].Instances[].{role:IamInstanceProfile.Arn,image:ImageId}"
