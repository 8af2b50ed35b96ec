// The 7-joint reacher of PETS as MuJoCo reads it (MJCF).
#pragma once

inline const char* const reacher7_xml = R"(<mujoco>
  <compiler angle="radian"/>
  <option timestep="0.01" gravity="0 0 0" iterations="20" integrator="RK4"/>
  <default>
    <joint armature="0.04" damping="1" limited="true"/>
    <geom friction="0.5 0.1 0.1" margin="0.002" condim="1" contype="0" conaffinity="0"/>
    <motor ctrllimited="true" ctrlrange="-20 20"/>
  </default>
  <worldbody>
    <body name="r_shoulder_pan_link" pos="0 -0.188 0">
      <joint name="r_shoulder_pan_joint" axis="0 0 1" range="-2.2854 1.714602" damping="10"/>
      <geom pos="-0.06 0.05 0.2" size="0.05"/>
      <geom pos="0.06 0.05 0.2" size="0.05"/>
      <geom pos="-0.06 0.09 0.2" size="0.03"/>
      <geom pos="0.06 0.09 0.2" size="0.03"/>
      <geom type="capsule" fromto="0 0 -0.4 0 0 0.2" size="0.1"/>
      <body name="r_shoulder_lift_link" pos="0.1 0 0">
        <joint name="r_shoulder_lift_joint" axis="0 1 0" range="-0.5236 1.3963" damping="10"/>
        <geom type="capsule" fromto="0 -0.1 0 0 0.1 0" size="0.1"/>
        <body name="r_upper_arm_roll_link">
          <joint name="r_upper_arm_roll_joint" axis="1 0 0" range="-3.9 0.8" damping="0.1"/>
          <geom type="capsule" fromto="-0.1 0 0 0.1 0 0" size="0.02"/>
          <body name="r_upper_arm_link">
            <geom type="capsule" fromto="0 0 0 0.4 0 0" size="0.06"/>
            <body name="r_elbow_flex_link" pos="0.4 0 0">
              <joint name="r_elbow_flex_joint" axis="0 1 0" range="-2.3213 0"/>
              <geom type="capsule" fromto="0 -0.02 0 0 0.02 0" size="0.06"/>
              <body name="r_forearm_roll_link">
                <joint name="r_forearm_roll_joint" axis="1 0 0" damping="0.1" limited="false"/>
                <geom type="capsule" fromto="-0.1 0 0 0.1 0 0" size="0.02"/>
                <body name="r_forearm_link">
                  <geom type="capsule" fromto="0 0 0 0.321 0 0" size="0.05"/>
                  <body name="r_wrist_flex_link" pos="0.321 0 0">
                    <joint name="r_wrist_flex_joint" axis="0 1 0" range="-2.094 0" damping="0.1"/>
                    <geom type="capsule" fromto="0 -0.02 0 0 0.02 0" size="0.01"/>
                    <body name="r_wrist_roll_link">
                      <joint name="r_wrist_roll_joint" axis="1 0 0" damping="0.1" limited="false"/>
                      <geom type="capsule" fromto="-0.02 0 0 0.02 0 0" size="0.01"/>
                      <body name="r_gripper_palm_link">
                        <geom type="capsule" fromto="0.05 0 -0.02 0.05 0 0.02" size="0.05"/>
                        <body name="r_gripper_l_finger_link" pos="0.07691 0.03 0">
                          <geom type="capsule" fromto="0 0 0 0.09137 0.00495 0" size="0.01"/>
                          <body name="r_gripper_l_finger_tip_link" pos="0.09137 0.00495 0">
                            <geom type="capsule" fromto="0 0 0 0.09137 0 0" size="0.01"/>
                          </body>
                        </body>
                        <body name="r_gripper_r_finger_link" pos="0.07691 -0.03 0">
                          <geom type="capsule" fromto="0 0 0 0.09137 -0.00495 0" size="0.01"/>
                          <body name="r_gripper_r_finger_tip_link" pos="0.09137 -0.00495 0">
                            <geom type="capsule" fromto="0 0 0 0.09137 0 0" size="0.01"/>
                          </body>
                        </body>
                      </body>
                    </body>
                  </body>
                </body>
              </body>
            </body>
          </body>
        </body>
      </body>
    </body>
    <body name="target" pos="0 0.25 0">
      <joint name="target_x" type="slide" axis="1 0 0" damping="0" armature="0" limited="false"/>
      <joint name="target_y" type="slide" axis="0 1 0" ref="0.25" damping="0" armature="0" limited="false"/>
      <joint name="target_z" type="slide" axis="0 0 1" damping="0" armature="0" limited="false"/>
      <geom size="0.035"/>
    </body>
  </worldbody>
  <actuator>
    <motor joint="r_shoulder_pan_joint" gear="1"/>
    <motor joint="r_shoulder_lift_joint" gear="1"/>
    <motor joint="r_upper_arm_roll_joint" gear="1"/>
    <motor joint="r_elbow_flex_joint" gear="1"/>
    <motor joint="r_forearm_roll_joint" gear="1"/>
    <motor joint="r_wrist_flex_joint" gear="1"/>
    <motor joint="r_wrist_roll_joint" gear="1"/>
  </actuator>
</mujoco>)";
