package serve

import (
	"fmt"
	"strings"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// ObjectType describes a type of objects: the variables that each object of it has. [Server.AddObject] makes objects of it.
type ObjectType struct {
	Name        string // its browse name
	Of          string // the type that it is one of, added before; empty: BaseObjectType
	Abstract    bool   // objects are of its subtypes alone
	Description string
	French      Text
	Variables   []TypeVariable // beside those of the type that it is one of
}

// TypeVariable is a variable of a type's objects.
type TypeVariable struct {
	Path     []string // browse names from the object, the last one the variable's own; those between are folders
	Type     Type
	Name     string // shown to people, in English; empty: the last of Path
	French   Text
	Unit     string
	Optional bool // some objects have it, others not
}

// typeID is the node id of a type by its name.
func (sp *space) typeID(name string) *ua.NodeID { return ua.NewStringNodeID(sp.ns, "type:"+name) }

// AddObjectType adds a type of objects, before Run.
func (s *Server) AddObjectType(t ObjectType) error {
	sp := s.space
	sp.mu.Lock()
	defer sp.mu.Unlock()
	nid := sp.typeID(t.Name)
	switch {
	case t.Name == "":
		return fmt.Errorf("opc ua server: a type without a name: %+v", t)
	case sp.nodes[nid.String()] != nil:
		return fmt.Errorf("opc ua server: type %q: %w", t.Name, ErrDuplicate)
	}
	super := sp.nodes[nodeID(id.BaseObjectType).String()]
	if t.Of != "" {
		if super = sp.nodes[sp.typeID(t.Of).String()]; super == nil {
			return fmt.Errorf("opc ua server: type %q: its type %q: %w", t.Name, t.Of, ErrUnknownNode)
		}
	}
	n := &node{id: nid, class: ua.NodeClassObjectType, browse: &ua.QualifiedName{NamespaceIndex: sp.ns, Name: t.Name}, display: ua.NewLocalizedText(t.Name),
		description: ua.NewLocalizedText(t.Description), abstract: t.Abstract}
	n.setFrench(t.French)
	sp.add(n, super, id.HasSubtype)
	for _, v := range t.Variables {
		if err := sp.declare(n, t.Name, v); err != nil {
			return err
		}
	}
	return nil
}

// declare adds the instance declaration of a variable, and those of the folders to it, to a type (Part 3, 6.2.6); mu is held.
func (sp *space) declare(at *node, typeName string, v TypeVariable) error {
	if len(v.Path) == 0 || int(v.Type) >= len(dataTypes) {
		return fmt.Errorf("opc ua server: type %q: variable %q of type %d has no path or no type", typeName, v.Path, v.Type)
	}
	for i, name := range v.Path {
		text := "type:" + typeName + "/" + strings.Join(v.Path[:i+1], "/")
		nid := ua.NewStringNodeID(sp.ns, text)
		next, last := sp.nodes[nid.String()], i == len(v.Path)-1
		switch {
		case next != nil && (last || next.class != ua.NodeClassObject):
			return fmt.Errorf("opc ua server: type %q: variable %q: %w", typeName, v.Path, ErrDuplicate)
		case next != nil:
			at = next
			continue
		}
		next = &node{id: nid, browse: &ua.QualifiedName{NamespaceIndex: sp.ns, Name: name}, display: ua.NewLocalizedText(name), description: ua.NewLocalizedText(""), text: text}
		if !last {
			next.class, next.typeDef = ua.NodeClassObject, nodeID(id.FolderType)
			sp.add(next, at, id.HasComponent)
			sp.rule(next, false)
			at = next
			continue
		}
		next.class, next.typeDef, next.dataType, next.rank, next.kind = ua.NodeClassVariable, nodeID(id.BaseDataVariableType), nodeID(dataTypes[v.Type]), -1, v.Type
		if v.Unit != "" {
			next.typeDef = nodeID(id.AnalogUnitType)
		}
		if v.Name != "" {
			next.display = localized("en", v.Name)
		}
		next.setFrench(v.French)
		next.value.Store(&ua.DataValue{EncodingMask: ua.DataValueStatusCode, Status: ua.StatusBadWaitingForInitialData})
		sp.add(next, at, id.HasComponent)
		sp.rule(next, v.Optional)
		if v.Unit != "" {
			sp.rule(sp.property(next, "EngineeringUnits", "/unit/", id.EUInformation, engineeringUnit(v.Unit)), false)
		}
	}
	return nil
}

// rule says of an instance declaration whether every object has it; mu is held.
func (sp *space) rule(n *node, optional bool) {
	rule := uint32(id.ModellingRule_Mandatory)
	if optional {
		rule = id.ModellingRule_Optional
	}
	n.refs = append(n.refs, describe(sp.nodes[nodeID(rule).String()], id.HasModellingRule, true))
}

// AddObject adds an object of a type at a path from the Objects folder, before what is in it; missing folders to it are made.
func (s *Server) AddObject(typeName string, path ...string) error {
	sp := s.space
	sp.mu.Lock()
	defer sp.mu.Unlock()
	t := sp.nodes[sp.typeID(typeName).String()]
	switch {
	case len(path) == 0:
		return fmt.Errorf("opc ua server: an object of type %q has no path", typeName)
	case t == nil || t.class != ua.NodeClassObjectType:
		return fmt.Errorf("opc ua server: object %q: type %q: %w", path, typeName, ErrUnknownNode)
	case t.abstract:
		return fmt.Errorf("opc ua server: object %q: type %q is abstract: %w", path, typeName, ErrType)
	case sp.nodes[sp.objectID(path).String()] != nil:
		return fmt.Errorf("opc ua server: object %q: %w", path, ErrDuplicate)
	}
	parent, err := sp.folder(path[:len(path)-1])
	if err != nil {
		return err
	}
	_, err = sp.object(parent, path, t.id)
	return err
}

// objectID is the node id of the object at a path from the Objects folder.
func (sp *space) objectID(path []string) *ua.NodeID {
	return ua.NewStringNodeID(sp.ns, "/"+strings.Join(path, "/"))
}

// object adds an object below its parent: folders organize what is in them, other objects are made of it; mu is held.
func (sp *space) object(parent *node, path []string, typeDef *ua.NodeID) (*node, error) {
	name := path[len(path)-1]
	if name == "" {
		return nil, fmt.Errorf("opc ua server: path %q: empty name", path)
	}
	n := &node{id: sp.objectID(path), class: ua.NodeClassObject, typeDef: typeDef,
		browse: &ua.QualifiedName{NamespaceIndex: sp.ns, Name: name}, display: ua.NewLocalizedText(name), description: ua.NewLocalizedText("")}
	reference := uint32(id.HasComponent)
	if parent.typeDef.String() == nodeID(id.FolderType).String() {
		reference = id.Organizes
	}
	sp.add(n, parent, reference)
	return n, nil
}
