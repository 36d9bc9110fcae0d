"""Patients and nodes that are not there: replayed records and synthetic rhythms."""
