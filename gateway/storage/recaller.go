package storage

import "io/fs"

// Recaller is implemented by a Store that may know an object without asking the storage.
type Recaller interface {
	// Recall describes an object that was seen recently, and not removed since by this
	// process. Its ModTime may be zero. If the object is known to be absent, the error
	// wraps [fs.ErrNotExist].
	Recall(name string) (info fs.FileInfo, known bool, err error)
}

// Recall uses the store's Recall, if it has one.
func Recall(s Store, name string) (info fs.FileInfo, known bool, err error) {
	if r, ok := s.(Recaller); ok {
		return r.Recall(name)
	}
	return nil, false, nil
}
