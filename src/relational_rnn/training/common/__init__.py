"""What training needs whatever the framework: settings, the growing task, run folders."""
