import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { protoCamelCase } from '@bufbuild/protobuf/reflect';
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as FieldType,
  FileDescriptorProtoSchema,
  type DescriptorProtoSchema,
  type EnumDescriptorProtoSchema,
  type FieldDescriptorProtoSchema,
  type FileDescriptorProto,
  type ServiceDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';
import protobuf from 'protobufjs';
import { mapEntryName, type NestedOrder } from './nested-order.js';

type MessageShape = MessageInitShape<typeof DescriptorProtoSchema>;
type FieldShape = MessageInitShape<typeof FieldDescriptorProtoSchema>;

/** Parts of a file that the parser does not keep with its objects. */
export interface ProtoFile {
  readonly name: string;
  readonly syntax: 'proto2' | 'proto3';
  readonly packageName: string;
  readonly dependencies: readonly string[];
  readonly nestedOrder: NestedOrder;
}

/**
 * Makes the descriptor of a parsed file, as far as wire format, JSON and reflection need it: it leaves out options
 * other than `packed` and `allow_alias`, default values, reserved names and comments. protobufjs has a conversion of
 * its own, which merges all files of a package, drops imports and JSON names and writes relative type names.
 */
export function fileDescriptorOf(file: ProtoFile, root: protobuf.Root): FileDescriptorProto {
  const own = declaredIn(file.name, root);
  const references = new Set<string>();
  const context = { file, references };
  const shape = {
    messageType: own.filter((object) => object instanceof protobuf.Type).map((type) => messageOf(type, context)),
    enumType: own.filter((object) => object instanceof protobuf.Enum).map(enumOf),
    service: own.filter((object) => object instanceof protobuf.Service).map((service) => serviceOf(service, context)),
    extension: own.filter(isExtension).map((field) => extensionOf(field, context)),
  };
  // A type may have come through an `import public` of another file, but reflection clients look for a direct import.
  const dependency = [...new Set([...file.dependencies, ...references])];
  return create(FileDescriptorProtoSchema, {
    name: file.name,
    package: file.packageName,
    syntax: file.syntax,
    dependency,
    ...shape,
  });
}

interface Context {
  readonly file: ProtoFile;
  /** Names of other files whose types this one uses. */
  readonly references: Set<string>;
}

function declaredIn(fileName: string, namespace: protobuf.NamespaceBase): protobuf.ReflectionObject[] {
  return namespace.nestedArray.flatMap((object) => {
    const isPackage =
      object instanceof protobuf.Namespace &&
      !(object instanceof protobuf.Type) &&
      !(object instanceof protobuf.Service);
    if (isPackage) return declaredIn(fileName, object);
    return object.filename === fileName ? [object] : [];
  });
}

function messageOf(type: protobuf.Type, context: Context): MessageShape {
  // protoc puts the oneofs that stand for `optional` behind the real ones.
  const oneofs = [...type.oneofsArray].sort((a, b) => Number(isSynthetic(a)) - Number(isSynthetic(b)));
  const fields = type.fieldsArray.filter((field) => field.declaringField === null);
  const nested = type.nestedArray;
  const mapEntries = fields
    .filter((field) => field instanceof protobuf.MapField)
    .map((field) => mapEntryOf(field, context));
  return {
    name: type.name,
    field: fields.map((field) => ({
      ...fieldOf(field, context),
      ...(field.partOf === null
        ? {}
        : {
            oneofIndex: oneofs.indexOf(field.partOf),
            ...(isSynthetic(field.partOf) ? { proto3Optional: true } : {}),
          }),
    })),
    oneofDecl: oneofs.map(({ name }) => ({ name })),
    nestedType: inOrder(
      [
        ...nested.filter((object) => object instanceof protobuf.Type).map((inner) => messageOf(inner, context)),
        ...mapEntries,
      ],
      context.file.nestedOrder.get(nameInPackage(type, context.file)) ?? [],
    ),
    enumType: nested.filter((object) => object instanceof protobuf.Enum).map(enumOf),
    extension: nested.filter(isExtension).map((field) => extensionOf(field, context)),
    // The parser keeps the last number of a range, a descriptor the number after it.
    extensionRange: (type.extensions ?? []).map(([start = 0, last = 0]) => ({ start, end: last + 1 })),
  };
}

function nameInPackage(type: protobuf.Type, { packageName }: ProtoFile): string {
  return type.fullName.slice(packageName === '' ? 1 : packageName.length + 2);
}

function inOrder(messages: readonly MessageShape[], order: readonly string[]): MessageShape[] {
  return [...messages].sort((a, b) => order.indexOf(a.name!) - order.indexOf(b.name!));
}

function isSynthetic(oneof: protobuf.OneOf): boolean {
  return oneof.fieldsArray.length === 1 && oneof.fieldsArray[0]?.options?.proto3_optional === true;
}

function fieldOf(field: protobuf.Field, context: Context): FieldShape {
  const jsonName: unknown = field.options?.json_name;
  const common = {
    name: field.name,
    number: field.id,
    jsonName: typeof jsonName === 'string' ? jsonName : protoCamelCase(field.name),
  };
  if (field instanceof protobuf.MapField) {
    const entry = `${field.parent?.fullName ?? ''}.${mapEntryName(field.name)}`;
    return { ...common, label: Label.REPEATED, type: FieldType.MESSAGE, typeName: entry };
  }
  const packed: unknown = field.options?.packed;
  return {
    ...common,
    label: field.repeated ? Label.REPEATED : field.required ? Label.REQUIRED : Label.OPTIONAL,
    ...typeOf(field.type, field.resolvedType, context),
    ...(field.delimited ? { type: FieldType.GROUP } : {}),
    ...(typeof packed === 'boolean' ? { options: { packed } } : {}),
  };
}

function extensionOf(field: protobuf.Field, context: Context): FieldShape {
  const extendee = field.extensionField?.parent;
  if (extendee?.filename) reference(extendee.filename, context);
  return { ...fieldOf(field, context), extendee: extendee?.fullName ?? '' };
}

/**
 * Tells extensions from custom options, which extend the options of descriptors and change neither wire format nor
 * JSON.
 */
function isExtension(object: protobuf.ReflectionObject): object is protobuf.Field {
  if (!(object instanceof protobuf.Field) || object.extend === undefined) return false;
  return object.extensionField?.parent?.fullName.startsWith('.google.protobuf.') !== true;
}

function mapEntryOf(field: protobuf.MapField, context: Context): MessageShape {
  const optional = { label: Label.OPTIONAL };
  return {
    name: mapEntryName(field.name),
    field: [
      { name: 'key', jsonName: 'key', number: 1, ...optional, ...typeOf(field.keyType, null, context) },
      { name: 'value', jsonName: 'value', number: 2, ...optional, ...typeOf(field.type, field.resolvedType, context) },
    ],
    options: { mapEntry: true },
  };
}

function typeOf(
  name: string,
  resolved: protobuf.Type | protobuf.Enum | null,
  context: Context,
): Pick<FieldShape, 'type' | 'typeName'> {
  if (resolved === null) return { type: scalarTypes[name as keyof typeof scalarTypes] };
  if (resolved.filename) reference(resolved.filename, context);
  if (resolved instanceof protobuf.Enum) return { type: FieldType.ENUM, typeName: resolved.fullName };
  return { type: FieldType.MESSAGE, typeName: resolved.fullName };
}

function reference(fileName: string, { file, references }: Context): void {
  if (fileName !== file.name) references.add(fileName);
}

function enumOf({ name, values, options }: protobuf.Enum): MessageInitShape<typeof EnumDescriptorProtoSchema> {
  return {
    name,
    value: Object.entries(values).map(([valueName, number]) => ({ name: valueName, number })),
    ...(options?.allow_alias === true ? { options: { allowAlias: true } } : {}),
  };
}

function serviceOf(
  { name, methodsArray }: protobuf.Service,
  context: Context,
): MessageInitShape<typeof ServiceDescriptorProtoSchema> {
  return {
    name,
    method: methodsArray.map((method) => ({
      name: method.name,
      inputType: typeOf('', method.resolvedRequestType, context).typeName ?? '',
      outputType: typeOf('', method.resolvedResponseType, context).typeName ?? '',
      ...(method.requestStream === true ? { clientStreaming: true } : {}),
      ...(method.responseStream === true ? { serverStreaming: true } : {}),
    })),
  };
}

const scalarTypes = {
  double: FieldType.DOUBLE,
  float: FieldType.FLOAT,
  int64: FieldType.INT64,
  uint64: FieldType.UINT64,
  int32: FieldType.INT32,
  fixed64: FieldType.FIXED64,
  fixed32: FieldType.FIXED32,
  bool: FieldType.BOOL,
  string: FieldType.STRING,
  bytes: FieldType.BYTES,
  uint32: FieldType.UINT32,
  sfixed32: FieldType.SFIXED32,
  sfixed64: FieldType.SFIXED64,
  sint32: FieldType.SINT32,
  sint64: FieldType.SINT64,
} as const;
