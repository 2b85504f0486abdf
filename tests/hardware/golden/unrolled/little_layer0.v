`default_nettype none
// Written by sc-neurocore 0.1.0.
// Layer 0 of little: 10 inputs and a bias, 6 neurons, one time step per clock cycle.
// Each weight bitstream is a wire of the thermometer, and each synapse is one gate.
module little_layer0 (
    input wire clk,
    input wire clear,                        // resets the layer for a new image
    input wire step,
    /* verilator lint_off UNUSEDSIGNAL */ // inputs with only zero weights
    input wire [9:0] x,
    /* verilator lint_on UNUSEDSIGNAL */
    output reg valid,                        // two clock cycles after the step
    output wire [5:0] spike,
    output wire [95:0] v
);
    wire [7:0] number;
    sc_sequence #(
        .WIDTH(8), .BITS(8),
        .ROWS(64'b11111111_10101010_11001100_10001000_11110000_10100000_11000000_10000000),
        .SHIFT(8'b00001111)
    ) u_sequence (.clk(clk), .clear(clear), .step(step), .number(number));

    /* verilator lint_off UNUSEDSIGNAL */ // unused magnitudes
    wire [255:0] below;
    /* verilator lint_on UNUSEDSIGNAL */
    sc_thermometer #(.BITS(8)) u_thermometer (.number(number), .below(below));

    reg fire;
    always @(posedge clk) begin
        fire <= step && !clear;
        valid <= fire && !clear;
    end

    sc_neuron #(
        .EXCITING(3), .INHIBITING(8), .COUNT(5),
        .WORD(16), .FRACTION(9), .LEAK(1), .LEAK_SHIFT(3),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(0), .REFRACTORY(1), .REST(1)
    ) u_neuron0 (
        .clk(clk), .clear(clear), .step(step), .fire(fire),
        .x({
            1'b1, x[9], x[7], x[6], x[5], x[4], x[1], x[0],
            x[8], x[3], x[2]
        }),
        .w({
            below[164], below[198], below[174], below[11], below[34], below[208], below[135], below[212],
            below[120], below[42], below[154]
        }),
        .spike(spike[0]), .v(v[0 +: 16])
    );

    sc_neuron #(
        .EXCITING(7), .INHIBITING(4), .COUNT(5),
        .WORD(16), .FRACTION(9), .LEAK(1), .LEAK_SHIFT(3),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(0), .REFRACTORY(1), .REST(1)
    ) u_neuron1 (
        .clk(clk), .clear(clear), .step(step), .fire(fire),
        .x({
            x[9], x[6], x[2], x[0], 1'b1, x[8], x[7], x[5],
            x[4], x[3], x[1]
        }),
        .w({
            below[106], below[110], below[36], below[56], below[126], below[100], below[76], below[234],
            below[122], below[44], below[9]
        }),
        .spike(spike[1]), .v(v[16 +: 16])
    );

    sc_neuron #(
        .EXCITING(6), .INHIBITING(5), .COUNT(5),
        .WORD(16), .FRACTION(9), .LEAK(1), .LEAK_SHIFT(3),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(0), .REFRACTORY(1), .REST(1)
    ) u_neuron2 (
        .clk(clk), .clear(clear), .step(step), .fire(fire),
        .x({
            x[8], x[6], x[3], x[2], x[0], 1'b1, x[9], x[7],
            x[5], x[4], x[1]
        }),
        .w({
            below[240], below[15], below[95], below[103], below[255], below[129], below[106], below[140],
            below[44], below[201], below[242]
        }),
        .spike(spike[2]), .v(v[32 +: 16])
    );

    sc_neuron #(
        .EXCITING(6), .INHIBITING(5), .COUNT(5),
        .WORD(16), .FRACTION(9), .LEAK(1), .LEAK_SHIFT(3),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(0), .REFRACTORY(1), .REST(1)
    ) u_neuron3 (
        .clk(clk), .clear(clear), .step(step), .fire(fire),
        .x({
            x[9], x[6], x[4], x[1], x[0], 1'b1, x[8], x[7],
            x[5], x[3], x[2]
        }),
        .w({
            below[144], below[103], below[150], below[209], below[64], below[34], below[114], below[124],
            below[67], below[221], below[82]
        }),
        .spike(spike[3]), .v(v[48 +: 16])
    );

    sc_neuron #(
        .EXCITING(8), .INHIBITING(3), .COUNT(5),
        .WORD(16), .FRACTION(9), .LEAK(1), .LEAK_SHIFT(3),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(0), .REFRACTORY(1), .REST(1)
    ) u_neuron4 (
        .clk(clk), .clear(clear), .step(step), .fire(fire),
        .x({
            x[9], x[7], x[4], 1'b1, x[8], x[6], x[5], x[3],
            x[2], x[1], x[0]
        }),
        .w({
            below[54], below[204], below[37], below[216], below[179], below[194], below[132], below[164],
            below[94], below[81], below[169]
        }),
        .spike(spike[4]), .v(v[64 +: 16])
    );

    sc_neuron #(
        .EXCITING(4), .INHIBITING(7), .COUNT(5),
        .WORD(16), .FRACTION(9), .LEAK(1), .LEAK_SHIFT(3),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(0), .REFRACTORY(1), .REST(1)
    ) u_neuron5 (
        .clk(clk), .clear(clear), .step(step), .fire(fire),
        .x({
            1'b1, x[9], x[7], x[5], x[3], x[1], x[0], x[8],
            x[6], x[4], x[2]
        }),
        .w({
            below[151], below[155], below[51], below[115], below[107], below[181], below[10], below[58],
            below[32], below[190], below[102]
        }),
        .spike(spike[5]), .v(v[80 +: 16])
    );
endmodule

`default_nettype wire
