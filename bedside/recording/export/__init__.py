"""Recordings for other programs: WFDB, EDF+, CSV and FHIR."""
