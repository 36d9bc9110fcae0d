"""What a Mosquitto for nodes, stations and screens is told: certificates, users, rights, limits."""
