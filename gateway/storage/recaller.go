package storage

import "io/fs"

// Recaller is implemented by a Store that may know an object without asking the storage.
type Recaller interface {
	// Recall describes an object that was seen a moment ago, and not removed since by this
	// process. Its ModTime may be zero. Of what is known not to be there the error wraps
	// [fs.ErrNotExist].
	Recall(name string) (info fs.FileInfo, known bool, err error)
}

// Recall is that of the store, where it has one.
func Recall(s Store, name string) (info fs.FileInfo, known bool, err error) {
	if r, ok := s.(Recaller); ok {
		return r.Recall(name)
	}
	return nil, false, nil
}
