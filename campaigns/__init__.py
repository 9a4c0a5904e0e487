"""Campaigns: trials by the thousand with kills, failing disks, damage, hostile input and load."""
