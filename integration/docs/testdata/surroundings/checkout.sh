# The directory is that of the project.
cd "$PROJECT"
