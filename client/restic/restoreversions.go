package restic

// The first versions of restic with an option of restore that is worth using.
var (
	// SparseVersion has restore --sparse.
	SparseVersion = Version{0, 15, 0}
	// SubfolderVersion has restore SNAPSHOT:FOLDER, and tells its progress.
	SubfolderVersion = Version{0, 16, 0}
	// OverwriteVersion replaces links, pipes and devices that exist already.
	OverwriteVersion = Version{0, 17, 0}
)
