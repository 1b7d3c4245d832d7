"""A delivery becomes findings; findings become incidents. Pure: no network, no shell, no clock."""
