"""Fits of spaces and trained models: files of the workspace folder, or shared through the catalog."""
