package rest

import (
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
)

// OperationOf returns what a method asks of an object, or of a type or a repository
// where the name is empty; create is true with the query create=true. What the
// protocol does not know is [operation.Other].
func OperationOf(method string, typ Type, name string, create bool) operation.Operation {
	switch method {
	case http.MethodPut:
		return operation.Put
	case http.MethodHead:
		return operation.Head
	case http.MethodGet:
		if name == "" && typ != Config {
			return operation.List
		}
		return operation.Read
	case http.MethodPost:
		return saving(typ, create)
	case http.MethodDelete:
		if typ == Locks && name != "" {
			return operation.RemoveLock
		}
		return operation.Remove
	}
	return operation.Other
}

// saving is what POST asks for.
func saving(typ Type, create bool) operation.Operation {
	switch {
	case typ == Root && create:
		return operation.Create
	case typ == Root:
		return operation.Other
	case typ == Config:
		return operation.SaveConfig
	case typ == Keys:
		return operation.SaveKey
	case typ == Locks:
		return operation.SaveLock
	}
	return operation.Save
}
