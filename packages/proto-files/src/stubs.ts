import type { DescriptorProto, EnumDescriptorProto, FileDescriptorProto } from '@bufbuild/protobuf/wkt';
import protobuf from 'protobufjs';

/**
 * Makes the types of a compiled file known to the parser, by name only: it resolves references with them, while the
 * descriptor stays as it is.
 */
export function addStubs(root: protobuf.Root, file: FileDescriptorProto): void {
  const namespace = file.package === '' ? root : root.define(file.package);
  addTo(namespace, file.name, { messages: file.messageType, enums: file.enumType });
}

interface Types {
  readonly messages: readonly DescriptorProto[];
  readonly enums: readonly EnumDescriptorProto[];
}

function addTo(namespace: protobuf.Namespace, filename: string, { messages, enums }: Types): void {
  for (const { name } of enums) namespace.add(Object.assign(new protobuf.Enum(name, {}), { filename }));
  for (const { name, nestedType, enumType } of messages) {
    const stub = Object.assign(new protobuf.Type(name), { filename });
    addTo(stub, filename, { messages: nestedType, enums: enumType });
    namespace.add(stub);
  }
}
