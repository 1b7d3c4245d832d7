# Replace every ingress rule from 0.0.0.0/0 and ::/0 by one like this
resource "aws_vpc_security_group_ingress_rule" "{{ label }}" {
  security_group_id = "{{ target }}"
  description       = "administration from the office network only"
  cidr_ipv4         = var.office_network
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
}
