/** Extra specs of a volume type, group specs of a group type, specs of QoS. Null: the key is there, without a value. */
export type Specs = Readonly<Record<string, string | null>>;
