package serve

import (
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// baseNode is a node of namespace 0 below its parent.
type baseNode struct {
	parent, reference, id uint32
	class                 ua.NodeClass
	name                  string
	typeDef               uint32 // objects and variables
	inverse               string // reference types
}

// The part of namespace 0 that clients of a read-only data server ask for (Part 5): folders, the types in use, the server object.
var baseNodes = []baseNode{
	{0, 0, id.RootFolder, ua.NodeClassObject, "Root", id.FolderType, ""},
	{id.RootFolder, id.Organizes, id.ObjectsFolder, ua.NodeClassObject, "Objects", id.FolderType, ""},
	{id.RootFolder, id.Organizes, id.TypesFolder, ua.NodeClassObject, "Types", id.FolderType, ""},
	{id.RootFolder, id.Organizes, id.ViewsFolder, ua.NodeClassObject, "Views", id.FolderType, ""},
	{id.TypesFolder, id.Organizes, id.ObjectTypesFolder, ua.NodeClassObject, "ObjectTypes", id.FolderType, ""},
	{id.TypesFolder, id.Organizes, id.VariableTypesFolder, ua.NodeClassObject, "VariableTypes", id.FolderType, ""},
	{id.TypesFolder, id.Organizes, id.DataTypesFolder, ua.NodeClassObject, "DataTypes", id.FolderType, ""},
	{id.TypesFolder, id.Organizes, id.ReferenceTypesFolder, ua.NodeClassObject, "ReferenceTypes", id.FolderType, ""},

	{id.ObjectTypesFolder, id.Organizes, id.BaseObjectType, ua.NodeClassObjectType, "BaseObjectType", 0, ""},
	{id.BaseObjectType, id.HasSubtype, id.FolderType, ua.NodeClassObjectType, "FolderType", 0, ""},
	{id.BaseObjectType, id.HasSubtype, id.ServerType, ua.NodeClassObjectType, "ServerType", 0, ""},
	{id.BaseObjectType, id.HasSubtype, id.ServerCapabilitiesType, ua.NodeClassObjectType, "ServerCapabilitiesType", 0, ""},
	{id.BaseObjectType, id.HasSubtype, id.ServerDiagnosticsType, ua.NodeClassObjectType, "ServerDiagnosticsType", 0, ""},
	{id.BaseObjectType, id.HasSubtype, id.ServerRedundancyType, ua.NodeClassObjectType, "ServerRedundancyType", 0, ""},
	{id.BaseObjectType, id.HasSubtype, id.ModellingRuleType, ua.NodeClassObjectType, "ModellingRuleType", 0, ""},
	{id.BaseObjectType, id.HasSubtype, id.HistoryServerCapabilitiesType, ua.NodeClassObjectType, "HistoryServerCapabilitiesType", 0, ""},
	{id.BaseObjectType, id.HasSubtype, id.AggregateFunctionType, ua.NodeClassObjectType, "AggregateFunctionType", 0, ""},
	{id.FolderType, id.HasSubtype, id.OperationLimitsType, ua.NodeClassObjectType, "OperationLimitsType", 0, ""},

	{id.VariableTypesFolder, id.Organizes, id.BaseVariableType, ua.NodeClassVariableType, "BaseVariableType", 0, ""},
	{id.BaseVariableType, id.HasSubtype, id.BaseDataVariableType, ua.NodeClassVariableType, "BaseDataVariableType", 0, ""},
	{id.BaseVariableType, id.HasSubtype, id.PropertyType, ua.NodeClassVariableType, "PropertyType", 0, ""},
	{id.BaseDataVariableType, id.HasSubtype, id.DataItemType, ua.NodeClassVariableType, "DataItemType", 0, ""},
	{id.DataItemType, id.HasSubtype, id.BaseAnalogType, ua.NodeClassVariableType, "BaseAnalogType", 0, ""},
	{id.BaseAnalogType, id.HasSubtype, id.AnalogUnitType, ua.NodeClassVariableType, "AnalogUnitType", 0, ""},
	{id.AnalogUnitType, id.HasSubtype, id.AnalogUnitRangeType, ua.NodeClassVariableType, "AnalogUnitRangeType", 0, ""},
	{id.BaseDataVariableType, id.HasSubtype, id.ServerStatusType, ua.NodeClassVariableType, "ServerStatusType", 0, ""},
	{id.BaseDataVariableType, id.HasSubtype, id.BuildInfoType, ua.NodeClassVariableType, "BuildInfoType", 0, ""},

	{id.DataTypesFolder, id.Organizes, id.BaseDataType, ua.NodeClassDataType, "BaseDataType", 0, ""},
	{id.BaseDataType, id.HasSubtype, id.Boolean, ua.NodeClassDataType, "Boolean", 0, ""},
	{id.BaseDataType, id.HasSubtype, id.String, ua.NodeClassDataType, "String", 0, ""},
	{id.String, id.HasSubtype, id.LocaleID, ua.NodeClassDataType, "LocaleId", 0, ""},
	{id.BaseDataType, id.HasSubtype, id.DateTime, ua.NodeClassDataType, "DateTime", 0, ""},
	{id.DateTime, id.HasSubtype, id.UtcTime, ua.NodeClassDataType, "UtcTime", 0, ""},
	{id.BaseDataType, id.HasSubtype, id.LocalizedText, ua.NodeClassDataType, "LocalizedText", 0, ""},
	{id.BaseDataType, id.HasSubtype, id.Number, ua.NodeClassDataType, "Number", 0, ""},
	{id.Number, id.HasSubtype, id.Integer, ua.NodeClassDataType, "Integer", 0, ""},
	{id.Number, id.HasSubtype, id.UInteger, ua.NodeClassDataType, "UInteger", 0, ""},
	{id.Number, id.HasSubtype, id.Float, ua.NodeClassDataType, "Float", 0, ""},
	{id.Number, id.HasSubtype, id.Double, ua.NodeClassDataType, "Double", 0, ""},
	{id.Double, id.HasSubtype, id.Duration, ua.NodeClassDataType, "Duration", 0, ""},
	{id.Integer, id.HasSubtype, id.Int16, ua.NodeClassDataType, "Int16", 0, ""},
	{id.Integer, id.HasSubtype, id.Int32, ua.NodeClassDataType, "Int32", 0, ""},
	{id.Integer, id.HasSubtype, id.Int64, ua.NodeClassDataType, "Int64", 0, ""},
	{id.UInteger, id.HasSubtype, id.Byte, ua.NodeClassDataType, "Byte", 0, ""},
	{id.UInteger, id.HasSubtype, id.UInt16, ua.NodeClassDataType, "UInt16", 0, ""},
	{id.UInteger, id.HasSubtype, id.UInt32, ua.NodeClassDataType, "UInt32", 0, ""},
	{id.UInteger, id.HasSubtype, id.UInt64, ua.NodeClassDataType, "UInt64", 0, ""},
	{id.BaseDataType, id.HasSubtype, id.Structure, ua.NodeClassDataType, "Structure", 0, ""},
	{id.Structure, id.HasSubtype, id.EUInformation, ua.NodeClassDataType, "EUInformation", 0, ""},
	{id.Structure, id.HasSubtype, id.Range, ua.NodeClassDataType, "Range", 0, ""},
	{id.Structure, id.HasSubtype, id.BuildInfo, ua.NodeClassDataType, "BuildInfo", 0, ""},
	{id.Structure, id.HasSubtype, id.ServerStatusDataType, ua.NodeClassDataType, "ServerStatusDataType", 0, ""},
	{id.BaseDataType, id.HasSubtype, id.Enumeration, ua.NodeClassDataType, "Enumeration", 0, ""},
	{id.Enumeration, id.HasSubtype, id.ServerState, ua.NodeClassDataType, "ServerState", 0, ""},
	{id.Enumeration, id.HasSubtype, id.RedundancySupport, ua.NodeClassDataType, "RedundancySupport", 0, ""},

	{id.ReferenceTypesFolder, id.Organizes, id.References, ua.NodeClassReferenceType, "References", 0, ""},
	{id.References, id.HasSubtype, id.HierarchicalReferences, ua.NodeClassReferenceType, "HierarchicalReferences", 0, "InverseHierarchicalReferences"},
	{id.References, id.HasSubtype, id.NonHierarchicalReferences, ua.NodeClassReferenceType, "NonHierarchicalReferences", 0, ""},
	{id.HierarchicalReferences, id.HasSubtype, id.HasChild, ua.NodeClassReferenceType, "HasChild", 0, "ChildOf"},
	{id.HierarchicalReferences, id.HasSubtype, id.Organizes, ua.NodeClassReferenceType, "Organizes", 0, "OrganizedBy"},
	{id.HasChild, id.HasSubtype, id.Aggregates, ua.NodeClassReferenceType, "Aggregates", 0, "AggregatedBy"},
	{id.HasChild, id.HasSubtype, id.HasSubtype, ua.NodeClassReferenceType, "HasSubtype", 0, "SubtypeOf"},
	{id.Aggregates, id.HasSubtype, id.HasProperty, ua.NodeClassReferenceType, "HasProperty", 0, "PropertyOf"},
	{id.Aggregates, id.HasSubtype, id.HasComponent, ua.NodeClassReferenceType, "HasComponent", 0, "ComponentOf"},
	{id.NonHierarchicalReferences, id.HasSubtype, id.HasTypeDefinition, ua.NodeClassReferenceType, "HasTypeDefinition", 0, "TypeDefinitionOf"},
	{id.NonHierarchicalReferences, id.HasSubtype, id.HasModellingRule, ua.NodeClassReferenceType, "HasModellingRule", 0, "ModellingRuleOf"},

	{id.ObjectsFolder, id.Organizes, id.Server, ua.NodeClassObject, "Server", id.ServerType, ""},
	{id.Server, id.HasComponent, id.Server_ServerCapabilities, ua.NodeClassObject, "ServerCapabilities", id.ServerCapabilitiesType, ""},
	{id.Server_ServerCapabilities, id.HasComponent, id.Server_ServerCapabilities_OperationLimits, ua.NodeClassObject, "OperationLimits", id.OperationLimitsType, ""},
	{id.Server_ServerCapabilities, id.HasComponent, id.Server_ServerCapabilities_ModellingRules, ua.NodeClassObject, "ModellingRules", id.FolderType, ""},
	{id.Server_ServerCapabilities_ModellingRules, id.HasComponent, id.ModellingRule_Mandatory, ua.NodeClassObject, "Mandatory", id.ModellingRuleType, ""},
	{id.Server_ServerCapabilities_ModellingRules, id.HasComponent, id.ModellingRule_Optional, ua.NodeClassObject, "Optional", id.ModellingRuleType, ""},
	{id.Server_ServerCapabilities, id.HasComponent, id.Server_ServerCapabilities_AggregateFunctions, ua.NodeClassObject, "AggregateFunctions", id.FolderType, ""},
	{id.Server_ServerCapabilities, id.HasComponent, id.HistoryServerCapabilities, ua.NodeClassObject, "HistoryServerCapabilities", id.HistoryServerCapabilitiesType, ""},
	{id.HistoryServerCapabilities, id.HasComponent, id.HistoryServerCapabilities_AggregateFunctions, ua.NodeClassObject, "AggregateFunctions", id.FolderType, ""},
	{id.Server, id.HasComponent, id.Server_ServerDiagnostics, ua.NodeClassObject, "ServerDiagnostics", id.ServerDiagnosticsType, ""},
	{id.Server, id.HasComponent, id.Server_ServerRedundancy, ua.NodeClassObject, "ServerRedundancy", id.ServerRedundancyType, ""},
}

// newSpace builds namespace 0 and the namespace table.
func newSpace(s *Server) *space {
	sp := &space{srv: s, nodes: make(map[string]*node), ns: uint16(2 + len(s.cfg.OtherNamespaces))}
	for _, b := range baseNodes {
		n := &node{
			id: nodeID(b.id), class: b.class, browse: &ua.QualifiedName{Name: b.name}, display: ua.NewLocalizedText(b.name),
			description: ua.NewLocalizedText(""), inverse: b.inverse,
		}
		if b.typeDef != 0 {
			n.typeDef = nodeID(b.typeDef)
		}
		n.abstract = b.class != ua.NodeClassObject && (b.id == id.BaseVariableType || b.id == id.References || b.id == id.BaseDataType)
		sp.nodes[n.id.String()] = n
	}
	for _, b := range baseNodes {
		n := sp.nodes[nodeID(b.id).String()]
		var parent *node
		if b.parent != 0 {
			parent = sp.nodes[nodeID(b.parent).String()]
		}
		sp.add(n, parent, b.reference)
	}
	sp.addServer()
	return sp
}

func (sp *space) base(parent, reference, nid uint32, name string, typeDef, dataType uint32, rank int32, value any) *node {
	n := &node{
		id: nodeID(nid), class: ua.NodeClassVariable, browse: &ua.QualifiedName{Name: name}, display: ua.NewLocalizedText(name),
		description: ua.NewLocalizedText(""), typeDef: nodeID(typeDef), dataType: nodeID(dataType), rank: rank,
	}
	if f, ok := value.(func() *ua.DataValue); ok {
		n.live = f
	} else {
		n.value.Store(constant(value))
	}
	sp.add(n, sp.nodes[nodeID(parent).String()], reference)
	return n
}

func (sp *space) addServer() {
	s := sp.srv
	build := &ua.BuildInfo{ProductURI: productURI, ManufacturerName: "Quartier", ProductName: s.cfg.Name, SoftwareVersion: "", BuildNumber: "", BuildDate: s.start}
	status := func() *ua.DataValue {
		now := s.cfg.Now().UTC()
		return stamped(ua.NewExtensionObject(&ua.ServerStatusDataType{
			StartTime: s.start, CurrentTime: now, State: ua.ServerStateRunning, BuildInfo: build, ShutdownReason: ua.NewLocalizedText(""),
		}), now)
	}
	now := func() *ua.DataValue { t := s.cfg.Now().UTC(); return stamped(t, t) }

	namespaces := append([]string{"http://opcfoundation.org/UA/", s.applicationURI()}, s.cfg.OtherNamespaces...)
	namespaces = append(namespaces, s.cfg.NamespaceURI)

	property, component := uint32(id.HasProperty), uint32(id.HasComponent)
	sp.base(id.Server, property, id.Server_ServerArray, "ServerArray", id.PropertyType, id.String, 1, []string{s.applicationURI()})
	sp.base(id.Server, property, id.Server_NamespaceArray, "NamespaceArray", id.PropertyType, id.String, 1, namespaces)
	sp.base(id.Server, property, id.Server_ServiceLevel, "ServiceLevel", id.PropertyType, id.Byte, -1, byte(255))
	sp.base(id.Server, property, id.Server_Auditing, "Auditing", id.PropertyType, id.Boolean, -1, false)
	sp.base(id.Server, component, id.Server_ServerStatus, "ServerStatus", id.ServerStatusType, id.ServerStatusDataType, -1, status)
	st := uint32(id.Server_ServerStatus)
	sp.base(st, component, id.Server_ServerStatus_StartTime, "StartTime", id.BaseDataVariableType, id.UtcTime, -1, s.start)
	sp.base(st, component, id.Server_ServerStatus_CurrentTime, "CurrentTime", id.BaseDataVariableType, id.UtcTime, -1, now)
	sp.base(st, component, id.Server_ServerStatus_State, "State", id.BaseDataVariableType, id.ServerState, -1, int32(ua.ServerStateRunning))
	sp.base(st, component, id.Server_ServerStatus_BuildInfo, "BuildInfo", id.BuildInfoType, id.BuildInfo, -1, ua.NewExtensionObject(build))
	sp.base(st, component, id.Server_ServerStatus_SecondsTillShutdown, "SecondsTillShutdown", id.BaseDataVariableType, id.UInt32, -1, uint32(0))
	sp.base(st, component, id.Server_ServerStatus_ShutdownReason, "ShutdownReason", id.BaseDataVariableType, id.LocalizedText, -1, ua.NewLocalizedText(""))

	caps := uint32(id.Server_ServerCapabilities)
	sp.base(caps, property, id.Server_ServerCapabilities_ServerProfileArray, "ServerProfileArray", id.PropertyType, id.String, 1, []string{})
	sp.base(caps, property, id.Server_ServerCapabilities_LocaleIDArray, "LocaleIdArray", id.PropertyType, id.LocaleID, 1, []string{"en", "fr"})
	sp.base(caps, property, id.Server_ServerCapabilities_MinSupportedSampleRate, "MinSupportedSampleRate", id.PropertyType, id.Duration, -1, milliseconds(minInterval))
	sp.base(caps, property, id.Server_ServerCapabilities_MaxBrowseContinuationPoints, "MaxBrowseContinuationPoints", id.PropertyType, id.UInt16, -1, uint16(maxContinuation))
	sp.base(caps, property, id.Server_ServerCapabilities_MaxQueryContinuationPoints, "MaxQueryContinuationPoints", id.PropertyType, id.UInt16, -1, uint16(0))
	sp.base(caps, property, id.Server_ServerCapabilities_MaxHistoryContinuationPoints, "MaxHistoryContinuationPoints", id.PropertyType, id.UInt16, -1, uint16(maxContinuation))
	limits := uint32(id.Server_ServerCapabilities_OperationLimits)
	for _, l := range []struct {
		id   uint32
		name string
		max  uint32
	}{
		{id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead, "MaxNodesPerRead", maxOperations},
		{id.Server_ServerCapabilities_OperationLimits_MaxNodesPerWrite, "MaxNodesPerWrite", maxOperations},
		{id.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData, "MaxNodesPerHistoryReadData", maxHistoryOf},
		{id.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse, "MaxNodesPerBrowse", maxBrowse},
		{id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRegisterNodes, "MaxNodesPerRegisterNodes", maxOperations},
		{id.Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIDs, "MaxNodesPerTranslateBrowsePathsToNodeIds", maxBrowse},
		{id.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall, "MaxMonitoredItemsPerCall", maxOperations},
	} {
		sp.base(limits, property, l.id, l.name, id.PropertyType, id.UInt32, -1, l.max)
	}
	sp.addHistoryCapabilities()
	sp.base(id.Server_ServerDiagnostics, property, id.Server_ServerDiagnostics_EnabledFlag, "EnabledFlag", id.PropertyType, id.Boolean, -1, false)
	sp.base(id.Server_ServerRedundancy, property, id.Server_ServerRedundancy_RedundancySupport, "RedundancySupport", id.PropertyType, id.RedundancySupport, -1, int32(0))
}

// addHistoryCapabilities says what of history is served (Part 11, 5.4) and the aggregate functions (Part 13, 4.2), which stand in two folders.
func (sp *space) addHistoryCapabilities() {
	there := sp.srv.cfg.History != nil
	caps := uint32(id.HistoryServerCapabilities)
	for _, c := range []struct {
		id   uint32
		name string
		can  bool
	}{
		{id.HistoryServerCapabilities_AccessHistoryDataCapability, "AccessHistoryDataCapability", there},
		{id.HistoryServerCapabilities_AccessHistoryEventsCapability, "AccessHistoryEventsCapability", false},
		{id.HistoryServerCapabilities_InsertDataCapability, "InsertDataCapability", false},
		{id.HistoryServerCapabilities_ReplaceDataCapability, "ReplaceDataCapability", false},
		{id.HistoryServerCapabilities_UpdateDataCapability, "UpdateDataCapability", false},
		{id.HistoryServerCapabilities_DeleteRawCapability, "DeleteRawCapability", false},
		{id.HistoryServerCapabilities_DeleteAtTimeCapability, "DeleteAtTimeCapability", false},
		{id.HistoryServerCapabilities_InsertEventCapability, "InsertEventCapability", false},
		{id.HistoryServerCapabilities_ReplaceEventCapability, "ReplaceEventCapability", false},
		{id.HistoryServerCapabilities_UpdateEventCapability, "UpdateEventCapability", false},
		{id.HistoryServerCapabilities_DeleteEventCapability, "DeleteEventCapability", false},
		{id.HistoryServerCapabilities_InsertAnnotationCapability, "InsertAnnotationCapability", false},
		{id.HistoryServerCapabilities_ServerTimestampSupported, "ServerTimestampSupported", false},
	} {
		sp.base(caps, id.HasProperty, c.id, c.name, id.PropertyType, id.Boolean, -1, c.can)
	}
	sp.base(caps, id.HasProperty, id.HistoryServerCapabilities_MaxReturnDataValues, "MaxReturnDataValues", id.PropertyType, id.UInt32, -1, uint32(maxHistory))
	sp.base(caps, id.HasProperty, id.HistoryServerCapabilities_MaxReturnEventValues, "MaxReturnEventValues", id.PropertyType, id.UInt32, -1, uint32(0))
	if !there {
		return
	}
	for _, a := range aggregateNames {
		n := &node{id: nodeID(uint32(a.kind)), class: ua.NodeClassObject, browse: &ua.QualifiedName{Name: a.name}, display: ua.NewLocalizedText(a.name),
			description: ua.NewLocalizedText(""), typeDef: nodeID(id.AggregateFunctionType)}
		sp.add(n, sp.nodes[nodeID(id.Server_ServerCapabilities_AggregateFunctions).String()], id.Organizes)
		also := sp.nodes[nodeID(id.HistoryServerCapabilities_AggregateFunctions).String()]
		also.refs = append(also.refs, describe(n, id.Organizes, true))
		n.refs = append(n.refs, describe(also, id.Organizes, false))
	}
}

func stamped(v any, at time.Time) *ua.DataValue {
	return &ua.DataValue{EncodingMask: ua.DataValueValue | ua.DataValueSourceTimestamp, Value: ua.MustVariant(v), SourceTimestamp: at}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

const productURI = "urn:quartier"

func (s *Server) applicationURI() string {
	if s.cfg.Identity != nil {
		return s.cfg.Identity.URI
	}
	return "urn:quartier:" + s.cfg.Name
}
