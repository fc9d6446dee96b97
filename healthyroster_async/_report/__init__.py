"""What a pool did, as a page that a person looks at."""
