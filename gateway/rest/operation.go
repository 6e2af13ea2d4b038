package rest

import (
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
)

// OperationOf returns what a method asks of an object, or of a type or a repository
// where the name is empty; create is true with the query create=true. What the
// protocol does not know is [operation.Other].
func OperationOf(method string, typ object.Type, name string, create bool) operation.Operation {
	switch method {
	case http.MethodPut:
		return operation.Put
	case http.MethodHead:
		return operation.Head
	case http.MethodGet:
		if name == "" && typ != object.Config {
			return operation.List
		}
		return operation.Read
	case http.MethodPost:
		return saving(typ, create)
	case http.MethodDelete:
		if typ == object.Locks && name != "" {
			return operation.RemoveLock
		}
		return operation.Remove
	}
	return operation.Other
}

// saving is what POST asks for.
func saving(typ object.Type, create bool) operation.Operation {
	switch {
	case typ == object.Root && create:
		return operation.Create
	case typ == object.Root:
		return operation.Other
	case typ == object.Config:
		return operation.SaveConfig
	case typ == object.Keys:
		return operation.SaveKey
	case typ == object.Locks:
		return operation.SaveLock
	}
	return operation.Save
}
